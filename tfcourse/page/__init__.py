"""Pages of plain HTML that need no network: their pieces and their style."""
