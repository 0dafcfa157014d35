"""The alerts of the limits, judged on turns instead of in Prometheus: same names, labels, annotations and conditions.

Read in this order: `minutes` (what is counted), `judging` (what is true now), `rendering` (what it says), `lifecycle`
(pending, firing, resolved).
"""
