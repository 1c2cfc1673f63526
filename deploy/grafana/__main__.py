"""`python -m deploy.grafana`: write the dashboard."""

from pathlib import Path

from deploy.grafana.dashboard import dashboard

FILE = Path(__file__).parent / "dashboards" / "privysharing.json"

if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(dashboard())
