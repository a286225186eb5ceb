"""Checks a SCIM server with scim2-tester: one JSON object per line for each check.

usage: scim_tester.py URL TOKEN
"""

import json
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

url, token = sys.argv[1:]
http = Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
for result in check_server(SyncSCIMClient(http)):
    print(json.dumps({
        "status": result.status.name,
        "title": result.title,
        "resource": result.resource_type,
        "reason": result.reason,
        "data": None if result.status.name == "SUCCESS" else repr(result.data),
    }))
