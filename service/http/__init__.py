"""The HTTP side: the application, what surrounds it, its routes and their schemas."""
