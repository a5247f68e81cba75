"""Executes a notebook headless, as people's tools do: execute.py NOTEBOOK RESULT KERNEL FOLDER.

Cells that raise keep their error as output and the rest is executed too: whoever called judges the result.
"""

import sys

import nbformat
from nbclient import NotebookClient

notebook, result, kernel, folder = sys.argv[1:]
book = nbformat.read(notebook, as_version=4)
client = NotebookClient(
    book,
    kernel_name=kernel,
    resources={"metadata": {"path": folder}},
    allow_errors=True,
    record_timing=False,
    timeout=600,
)
client.execute()
nbformat.write(book, result)
