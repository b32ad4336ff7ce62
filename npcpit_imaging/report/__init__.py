"""What people and programs take away: PDF, figures, tables."""
