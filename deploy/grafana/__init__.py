"""Grafana: one dashboard that shows a network's health at a glance, and how Grafana gets to know it.

`panels` says what is shown, `dashboard` what Grafana wants to be told of that; `python -m deploy.grafana` writes
`dashboards/privysharing.json`, which is committed, for whoever has Grafana and nothing of ours. `provisioning/` are the
files by which Grafana finds Prometheus and the dashboard; `docs/operations.md` has the command.
"""
