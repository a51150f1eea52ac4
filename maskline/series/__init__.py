"""Several DVC experiments of one committed pipeline, such as its folds or its seeds, and what their figures come to."""
