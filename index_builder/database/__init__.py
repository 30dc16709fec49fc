"""The motion database: plain files, committed by manifests; segments never change, indexes are a cache."""
