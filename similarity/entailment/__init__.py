"""Which of two texts entails the other: degrees each way, their interval, and a verdict."""
