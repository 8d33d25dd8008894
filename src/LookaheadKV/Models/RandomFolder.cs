using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>
/// A Hugging Face folder of random weights: speed and memory of a shape can be measured without the model. Linear maps are normal with standard
/// deviation 0.02, norms 1, biases 0. It is written shard by shard; the configuration comes last, so that a folder with one is whole.
/// </summary>
public static class RandomFolder
{
    private const int ElementSize = 2;

    /// <summary>Writes the folder.</summary>
    /// <param name="folder">Where, created if need be.</param>
    /// <param name="config">The model's shape.</param>
    /// <param name="seed">Seed of the weights; the same seed gives the same weights on a device of the same kind.</param>
    /// <param name="device">Where they are drawn; default the CPU.</param>
    /// <param name="shardBytes">Most bytes of a shard, which are held at once (a single larger tensor is a shard of its own).</param>
    /// <param name="progress">Receives every shard.</param>
    /// <param name="cancellation">Looked at before every tensor.</param>
    /// <returns>Parameters written.</returns>
    /// <exception cref="InputException">The folder holds a model, or cannot be written.</exception>
    public static long Write(
        string folder,
        DecoderConfig config,
        long seed = 0,
        Device? device = null,
        long shardBytes = 2L << 30,
        IProgress<ReadProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        OutputFolder.RefuseModel(folder);
        var json = ConfigWriter.Json(config, ScalarType.BFloat16);
        OutputFolder.Create(folder);
        var path = Path.Combine(folder, "config.json");
        AtomicFile.Probe(path);
        var shapes = DecoderWeights.Shapes(config).ToList();
        var total = shapes.Sum(tensor => SafetensorsShards.Bytes(tensor.Shape, ElementSize));
        var done = 0L;
        using var weights = new RandomWeights(device ?? CPU, ScalarType.BFloat16, seed);
        SafetensorsShards.Write(folder, shapes, ElementSize, shardBytes, Draw, () => AtomicFile.WriteText(path, json));
        return total / ElementSize;

        void Draw(string file, IReadOnlyList<(string Name, long[] Shape)> shard)
        {
            using var scope = NewDisposeScope();
            using var noGrad = no_grad();
            var tensors = new List<(string Name, Tensor Tensor)>();
            foreach (var (name, shape) in shard)
            {
                cancellation.ThrowIfCancellationRequested();
                tensors.Add((name, weights.Draw(name, shape)));
            }
            Safetensors.Write(file, tensors, new Dictionary<string, string> { ["format"] = "pt" });
            done += shard.Sum(tensor => SafetensorsShards.Bytes(tensor.Shape, ElementSize));
            progress?.Report(new ReadProgress(done, total, Path.GetFileName(file)));
        }
    }
}
