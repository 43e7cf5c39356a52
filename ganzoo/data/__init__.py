"""What data gives: fields, batches by row number, the pixels of files, and real samples to measure against."""
