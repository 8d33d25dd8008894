namespace LookaheadKV.Evaluation.Speed;

/// <summary>What one policy cost at one length; times in milliseconds.</summary>
/// <param name="Policy">Its name.</param>
/// <param name="Budget">Its budget; null where nothing is evicted.</param>
/// <param name="Length">N, tokens of the prompt.</param>
/// <param name="TtftMs">Time to the first token, median: from the prompt's ids to the first token's id on the host.</param>
/// <param name="TtftRuns">Every run's time to the first token, in the order of the rounds.</param>
/// <param name="CostMs">Median over the rounds of what it took longer than the full cache in the same round; null where no full cache was measured.</param>
/// <param name="CostLowMs">Lower end of the 95 % interval of that median (order statistics).</param>
/// <param name="CostHighMs">Upper end of it.</param>
/// <param name="CostShare">The cost as a share of the full cache's time.</param>
/// <param name="DecodeMs">Time of a decoded token behind the first, median.</param>
/// <param name="DecodeRuns">Every run's mean time of a decoded token.</param>
/// <param name="KeptTokens">Entries kept, mean over layers and heads.</param>
/// <param name="CacheBytes">Bytes of the entries kept.</param>
/// <param name="ResidentBytes">Bytes that keys, values and positions hold after the prompt, room for answers included.</param>
/// <param name="PeakCacheBytes">Most bytes that compacted and full layers held together.</param>
/// <param name="DeviceBytes">Device memory that the process holds after the first run, CUDA's own and the allocator's reserve included: it never shrinks within a process, so that only the first row of a process shows its own peak; null on the CPU.</param>
/// <param name="DeviceBytesAtEnd">The same after the last run: equal where nothing leaks; null on the CPU.</param>
/// <param name="LiveTensors">Tensors alive after the first run.</param>
/// <param name="LiveTensorsAtEnd">Tensors alive after the last run.</param>
/// <param name="PrefillFloorMs">Least time of the prompt's pass at the measured ceiling.</param>
/// <param name="DecodeFloorMs">Least time of a decoded token at the measured ceiling.</param>
/// <param name="EvictionMs">Time within the first token's that went into scoring, selecting and storing what is kept (for the full cache: storing all), median; null on a GPU, which works on behind the host's clock.</param>
/// <param name="FirstStepMs">Time of the first decoded token, median: with <see cref="Runtime.Execution.Graph"/> it holds the recording of the others.</param>
/// <param name="PredictedMemory">What the prefill needs by its shape; the device also holds CUDA's own and what the allocator could not reuse. Null on the CPU, and where a policy must see all layers.</param>
public sealed record SpeedRow(
    string Policy,
    string? Budget,
    int Length,
    double TtftMs,
    IReadOnlyList<double> TtftRuns,
    double? CostMs,
    double? CostLowMs,
    double? CostHighMs,
    double? CostShare,
    double DecodeMs,
    IReadOnlyList<double> DecodeRuns,
    double KeptTokens,
    long CacheBytes,
    long ResidentBytes,
    long PeakCacheBytes,
    long? DeviceBytes,
    long? DeviceBytesAtEnd,
    long LiveTensors,
    long LiveTensorsAtEnd,
    double PrefillFloorMs,
    double DecodeFloorMs,
    double? EvictionMs = null,
    PrefillMemory? PredictedMemory = null,
    double? FirstStepMs = null
);
