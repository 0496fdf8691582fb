"""The API, a file per subject. Server and OpenAPI document are made from their ``ROUTES``."""
