"""The alerts that turns tell, without Prometheus: same names, labels, annotations and conditions.

Read in this order: `minutes` (what is counted), `conditions` and `judging` (what is true now), `rendering` (what it
says), `lifecycle` (pending, firing, resolved), `pushing` (who is told).
"""
