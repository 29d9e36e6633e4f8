"""X-Ray: segments of traces, kept, put together and searched; who is sampled; export to OpenTelemetry."""
