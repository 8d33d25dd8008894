using LookaheadKV.Cache;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>
/// Decoding steps of one cache as a CUDA graph: the host launches one recording a token, where it launches a thousand kernels otherwise. The recording writes
/// and reads the cache's storage where it is, with all lengths in counters on the device that it counts up itself; it ends with the cache.
/// </summary>
internal sealed class DecodingGraph : IDisposable
{
    // Angles are kept for so many tokens before the first one too: a question may be rolled back and a shorter one asked.
    private const long RowsBack = 512;

    // The compiler that merges operators watches the first runs of a function before it compiles it.
    private const int FirstWarmUps = 3;

    private static readonly Lock Recording = new();
    private static readonly HashSet<(DecoderConfig, long)> Warm = [];

    private readonly KeyValueCache _cache;
    private readonly ICacheLayer[] _layers; // those whose storage was recorded
    private readonly IReadOnlyList<IStepStorage> _storage;
    private readonly StepCounters _counters;
    private readonly long[] _firstRow; // logical position of the first row of angles, each row of the batch
    private readonly Tensor _ids;
    private readonly Tensor _logits;
    private readonly CudaGraph _graph;
    private long[][] _stored; // what the counters say
    private long[] _logical;

    private DecodingGraph(Decoder decoder, KeyValueCache cache, IReadOnlyList<IStepStorage> storage)
    {
        using var scope = NewDisposeScope();
        (_cache, _layers, _storage) = (cache, [.. cache.Layers], storage);
        (_stored, _logical) = (Stored(cache), [.. cache.LogicalLengths]);
        var back = Math.Min(RowsBack, _logical.Min());
        _firstRow = [.. _logical.Select(length => length - back)];
        var room = cache.Layers.Min(layer => layer.Room);
        var positions = tensor(_firstRow, device: decoder.Device) + arange(back + room, device: decoder.Device).unsqueeze(1); // [rows,B]
        var angles = decoder.AnglesAt(positions.reshape(-1, 1)); // [rows·B,1,1,D]: each as the last of its sequence
        long[] shape = [back + room, _logical.Length, 1, 1, decoder.Config.HeadSize];
        _counters = new StepCounters(
            [.. storage.Select(layer => tensor(layer.Starts.Select(start => (int)start).ToArray(), device: decoder.Device))],
            Ends(),
            Used(),
            tensor(storage.Select(LargestSegment).ToArray()),
            tensor(new[] { back }, device: decoder.Device),
            angles.Cos.view(shape),
            angles.Sin.view(shape)
        );
        _ids = zeros(_logical.Length, 1, dtype: ScalarType.Int64, device: decoder.Device);
        var kept = ((Tensor[])[.. storage.Select(s => s.Keys)], (Tensor[])[.. storage.Select(s => s.Values)]);
        WritePositionsAhead();
        lock (Recording)
        {
            // What runs before the recording writes behind the entries in use, where the first token will write again.
            var warmUps = Warm.Add((decoder.Config, _logical.Length)) ? FirstWarmUps : 1;
            (_graph, _logits) = CudaGraph.Record(
                Math.Max(decoder.Device.index, 0),
                warmUps,
                () => GraphStepScript.Step(decoder, _ids, kept, _counters),
                _counters.Advance
            );
        }
        foreach (var own in (Tensor[])[.. _counters.All, _ids, _logits])
            own.DetachFromDisposeScope();
    }

    /// <summary>Whether a decoder's steps can be recorded here at all: a GPU, half precision, and a libtorch that records.</summary>
    public static bool Works(Decoder decoder) =>
        Operators.HasFlash(decoder.Device, decoder.DType, decoder.Config.HeadSize) && CudaGraph.Missing is null;

    /// <summary>Whether steps of a cache can be recorded: one token a row, every entry visible.</summary>
    public static bool Serves(Decoder decoder, KeyValueCache cache, Tensor ids, Execution execution) =>
        execution.IsRecorded
        && ids.size(1) == 1
        && decoder.RunsCompiled(execution, cache.LogicalLengths.Max() + 1)
        && Decoding.StepStorage(cache) is not null;

    /// <summary>Records the step that appends one token to each row of a cache, which must have room for it.</summary>
    public static DecodingGraph Record(Decoder decoder, KeyValueCache cache)
    {
        var storage = Decoding.StepStorage(cache)!;
        foreach (var layer in storage)
            layer.RequireRoom(1);
        return new DecodingGraph(decoder, cache, storage);
    }

    /// <summary>Whether the recording can go on from where the cache is now.</summary>
    public bool Reaches() =>
        _layers.SequenceEqual(_cache.Layers)
        && _cache.LogicalLengths.Zip(_firstRow, (length, first) => length - first).Distinct().Count() == 1
        && _cache.LogicalLengths[0] >= _firstRow[0]
        && _cache.LogicalLengths[0] - _firstRow[0] < _counters.Cos.size(0);

    /// <summary>Appends one token to each row.</summary>
    /// <param name="ids">Tokens [B,1].</param>
    /// <returns>Logits [B,1,vocabulary] (float32), the caller's own.</returns>
    public Tensor Run(Tensor ids)
    {
        using var scope = NewDisposeScope();
        foreach (var layer in _storage)
            layer.RequireRoom(1);
        Synchronise();
        _ids.copy_(ids);
        _graph.Launch();
        foreach (var layer in _storage)
            layer.Count(1);
        _cache.Advance(1);
        foreach (var lengths in _stored)
            for (var s = 0; s < lengths.Length; s++)
                lengths[s]++;
        for (var b = 0; b < _logical.Length; b++)
            _logical[b]++;
        return _logits.clone().MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _graph.Dispose();
        foreach (var owned in (Tensor[])[.. _counters.All, _ids, _logits])
            owned.Dispose();
    }

    // Tokens that came another way, or were rolled back, are not in the counters.
    private void Synchronise()
    {
        var stored = Stored(_cache);
        if (_logical.SequenceEqual(_cache.LogicalLengths) && _stored.Zip(stored).All(pair => pair.First.SequenceEqual(pair.Second)))
            return;
        (_stored, _logical) = (stored, [.. _cache.LogicalLengths]);
        _counters.Ends.copy_(Ends());
        _counters.Used.copy_(Used());
        _counters.Turn.fill_(_logical[0] - _firstRow[0]);
        WritePositionsAhead();
    }

    // The tokens to come stand one behind the other: their positions are known now, and no step has to write them.
    private void WritePositionsAhead()
    {
        var logical = tensor(_logical, device: _ids.device).unsqueeze(1); // [B,1]
        foreach (var ((layer, storage), at) in _layers.Zip(_storage).Zip(_counters.Ends.unbind(0)))
        {
            var steps = arange(layer.Room, device: at.device);
            var places = at.unsqueeze(1) + steps; // [S,room]
            var positions = (logical + steps).unsqueeze(1).expand(-1, layer.KvHeads, -1); // [B,G,room]
            storage.Positions.index_copy_(0, places.flatten(), positions.flatten());
        }
    }

    // Where each segment's new entry goes, [L,S].
    private Tensor Ends() =>
        tensor(
                _storage.Zip(_stored).SelectMany(pair => pair.First.Starts.Zip(pair.Second, (start, n) => start + n)).ToArray(),
                device: _layers[0].Device
            )
            .view(_stored.Length, -1);

    // Entries a segment with the new one, [L,S].
    private Tensor Used() =>
        tensor(_stored.SelectMany(lengths => lengths).Select(n => (int)n + 1).ToArray(), device: _layers[0].Device)
            .view(_stored.Length, -1);

    private static long LargestSegment(IStepStorage layer) => layer.Starts.Zip(layer.Starts.Skip(1), (start, end) => end - start).Max();

    private static long[][] Stored(KeyValueCache cache) => [.. cache.Layers.Select(layer => layer.StoredLengths.ToArray())];
}
