"""Charts for the screen: typed results in, Altair charts out. See `mvakit_gui.charts.base` for what a page may do with one.

Nothing here reads a file. Altair is imported with this package, so it is imported where something is drawn.
"""
