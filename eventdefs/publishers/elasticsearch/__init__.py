"""`elasticsearch://` and `opensearch://`: one document an item, in indices of fixed fields, each item once.

Only `elastic.py` and `opensearch.py` know a client library; what they share is given a `Cluster`.
"""
