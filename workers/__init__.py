"""The machines: pure methods on shelves; rows in, rows and files out. No Django in here."""
