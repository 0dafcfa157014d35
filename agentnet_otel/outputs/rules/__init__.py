"""Recording and alerting rules for Prometheus, and objectives as OpenSLO, from the one table of limits.

Read in this order: `promql` (how a question is put), `recordings` (what is worked out once), `windows` (when a question
is answered with yes), `documented` and `health` (the alerts), `catalogue` (all of them, in their files).
"""
