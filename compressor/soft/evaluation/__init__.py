"""Answers, costs and times of soft compression, and the report."""
