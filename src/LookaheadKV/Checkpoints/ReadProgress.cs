namespace LookaheadKV.Checkpoints;

/// <summary>How far the reading of a checkpoint is.</summary>
/// <param name="Bytes">Bytes of the tensors that were read, as the files hold them.</param>
/// <param name="TotalBytes">Bytes of all that are asked for.</param>
/// <param name="Tensor">The tensor that was read last.</param>
public readonly record struct ReadProgress(long Bytes, long TotalBytes, string Tensor);
