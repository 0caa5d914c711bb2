"""Lets a notebook `import helpers`, the folder beside this one, wherever Jupyter was started.

A notebook's kernel looks for modules in the notebook's own folder, so it finds this file first.
"""

import importlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
del sys.modules["helpers"]
importlib.import_module("helpers")
