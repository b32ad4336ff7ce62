"""A reader's draft: its content, the changes that make it, the live answer, signing."""
