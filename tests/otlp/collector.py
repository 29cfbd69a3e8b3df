#!/usr/bin/env python3
"""A collector that prints every push as a line of JSON, decoded by OpenTelemetry's own messages (PyPI: opentelemetry-proto).

It listens at the port that its argument says, and tells it in the first line; 0 is any that is free.
"""

import http.server
import json
import sys

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = service.ExportMetricsServiceRequest.FromString(body)
        said = {"path": self.path, "type": self.headers["Content-Type"], **MessageToDict(request)}
        print(json.dumps(said), flush=True)
        answer = service.ExportMetricsServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Collector)
print(server.server_address[1], flush=True)
server.serve_forever()
