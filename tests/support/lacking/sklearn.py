"""Hides scikit-learn, which users of the pipeline lack; Keras imports it if it can, which takes a second."""

raise ImportError("the pipeline runs without scikit-learn")
