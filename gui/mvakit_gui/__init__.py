"""Everything drawn: figures, plots from result files and, later on, the browser application.

What is drawn comes from typed results, result files and models; a Factory or a method is never asked.
"""
