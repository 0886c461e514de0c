"""What result files hold, as JSON documents by path: the same ones for the server and for the report.

| path | what it tells |
|---|---|
| ``index.json`` | the files and their datasets |
| ``d/<n>/catalogue.json`` | methods, classes, groups of views |
| ``d/<n>/view/<key>.json`` | a chart, as Vega-Lite |
| ``d/<n>/pages/<key>.json`` | how many pages a view has |
| ``d/<n>/table.json`` | the columns of the table of results |
| ``d/<n>/method/<i>/row.json`` | a method's row in it |
| ``d/<n>/method/<i>/card.json`` | its options, variables and training |
| ``d/<n>/method/<i>/points.json`` | what cuts on its response select |
| ``d/<n>/method/<i>/cut.json?cut=0.5`` | what one cut selects, exactly |

Datasets and methods go by their numbers, so no name of the file is ever part of a path.
"""

from __future__ import annotations

from mvakit_gui.documents.documents import Documents

__all__ = ["Documents"]
