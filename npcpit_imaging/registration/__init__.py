"""Align a follow-up to its baseline, say how well, and carry seeds across."""
