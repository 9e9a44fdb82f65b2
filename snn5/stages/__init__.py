"""One thin script per DVC stage: config in, library call, files out (`python -m snn5.stages.p1_train sew_resnet frames`)."""
