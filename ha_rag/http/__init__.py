"""The HTTP interface: endpoints, limits, authentication and authorization."""
