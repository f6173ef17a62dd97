"""Alertmanager's configuration: one receiver, told once, and again after half a day. Nothing is
inhibited: where node_exporter alone is gone, an alert of a service must still be told.

The webhook's address may hold a key, so it stands in a file of its own (url_file, since 0.26:
prometheus.io/docs/alerting/latest/configuration).
"""

from __future__ import annotations

from sparkform.monitoring.paths import CONFIG, WEBHOOK_NAME

GROUP_WAIT, GROUP_INTERVAL, REPEAT_INTERVAL = "10s", "1m", "12h"
WATCHDOG_REPEAT = "5m"
"""Looked at each GROUP_INTERVAL. An equal interval of its own would repeat at each second look: a
message is sent a moment after the look that it is held against."""


def build_alertmanager_config() -> dict[str, object]:
    """The watchdog's alert never ends: it is sent again and again, so that its silence tells."""
    watchdog = {
        "receiver": "webhook",
        "matchers": ['alertname="Watchdog"'],
        "repeat_interval": WATCHDOG_REPEAT,
    }
    return {
        "route": {
            "receiver": "webhook",
            "group_by": ["alertname", "node", "service"],
            "group_wait": GROUP_WAIT,
            "group_interval": GROUP_INTERVAL,
            "repeat_interval": REPEAT_INTERVAL,
            "routes": [watchdog],
        },
        "receivers": [
            {
                "name": "webhook",
                "webhook_configs": [
                    {"url_file": f"{CONFIG}/secrets/{WEBHOOK_NAME}", "send_resolved": True}
                ],
            }
        ],
    }
