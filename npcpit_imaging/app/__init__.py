"""The verbs of the command line; each joins the workers it needs."""
