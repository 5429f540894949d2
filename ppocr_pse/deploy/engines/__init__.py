"""One small class an inference engine, all behind one call: float32 (B, 3, H, W) to logits."""
