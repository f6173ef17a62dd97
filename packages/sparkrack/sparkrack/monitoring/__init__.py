"""Prometheus, Alertmanager and node_exporter of Debian, as images under the official names."""
