"""Which of two texts entails the other, and which of two words contains the other."""
