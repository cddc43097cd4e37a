"""Python's side of the browser host: the only package that imports `js`.

``host.py`` is where JavaScript enters it.
"""
