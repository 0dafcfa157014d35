"""Dashboards for Grafana.

What they show stands in `overview`, `anatomy`, `tokens` and `health`; `grafana` writes them as JSON.
"""
