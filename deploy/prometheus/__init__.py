"""Prometheus: what it scrapes, when it raises an alarm, and one on this machine.

Purpose: `alerts.yml` holds the alerts, each with the section of `docs/operations.md` that says what to do, and
`alerts.test.yml` tries them (`promtool test rules`). `scraping` says whom to ask, out of a network's manifest;
`kubernetes.yml` finds the same nodes in a cluster, by the labels and annotations of their pods. Every target has the
labels `network`, `role`, `org` and `instance`, the node's name, which alerts and dashboards go by. `server` runs a
Prometheus beside a local network, `programs` gets it.
Not here: what nodes measure, which each of their rooms has in a module `metrics`.
Data in: `network.json`. Data out: a configuration, a process.
Failure: a program that is not there and may not be fetched is `Missing`, with the line that installs it.
"""
