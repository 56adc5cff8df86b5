"""The scorers behind the interfaces of other libraries."""
