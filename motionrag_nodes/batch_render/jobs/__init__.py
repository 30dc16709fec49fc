"""Which jobs there are: tables, values of nodes, and the plan of all of them before the first is queued."""
