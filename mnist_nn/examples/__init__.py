"""The examples a network sees: from images and labels to mini-batches, deslanted or distorted on the way."""
