using System.Text.Json;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>
/// A Hugging Face folder of random weights: speed and memory of a shape can be measured without the model. Linear maps are normal with standard
/// deviation 0.02, norms 1, biases 0. It is written shard by shard; the configuration comes last, so that a folder with one is whole.
/// </summary>
public static class RandomFolder
{
    private const string Index = "model.safetensors.index.json";

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
        var shards = Shards(shapes, shardBytes);
        var total = shapes.Sum(tensor => Bytes(tensor.Shape));
        var done = 0L;
        try
        {
            using var weights = new RandomWeights(device ?? CPU, ScalarType.BFloat16, seed);
            foreach (var (number, shard) in shards.Index())
            {
                using var scope = NewDisposeScope();
                using var noGrad = no_grad();
                var tensors = new List<(string Name, Tensor Tensor)>();
                foreach (var (name, shape) in shard)
                {
                    cancellation.ThrowIfCancellationRequested();
                    tensors.Add((name, weights.Draw(name, shape)));
                }
                Safetensors.Write(
                    Path.Combine(folder, FileName(number, shards.Count)),
                    tensors,
                    new Dictionary<string, string> { ["format"] = "pt" }
                );
                progress?.Report(new ReadProgress(done += shard.Sum(tensor => Bytes(tensor.Shape)), total, FileName(number, shards.Count)));
            }
            if (shards.Count > 1)
                AtomicFile.WriteText(Path.Combine(folder, Index), IndexOf(shards, total));
            AtomicFile.WriteText(path, json);
            return total / 2;
        }
        catch
        {
            // There was no model before, and half of one would be in the way of the next call.
            foreach (var file in Enumerable.Range(0, shards.Count).Select(number => FileName(number, shards.Count)).Append(Index))
                File.Delete(Path.Combine(folder, file));
            throw;
        }
    }

    private static List<List<(string Name, long[] Shape)>> Shards(IEnumerable<(string Name, long[] Shape)> shapes, long limit)
    {
        var shards = new List<List<(string Name, long[] Shape)>>();
        var held = long.MaxValue;
        foreach (var tensor in shapes)
        {
            var bytes = Bytes(tensor.Shape);
            if (held > limit - bytes)
                (held, shards) = (0, [.. shards, []]);
            shards[^1].Add(tensor);
            held += bytes;
        }
        return shards;
    }

    private static string IndexOf(List<List<(string Name, long[] Shape)>> shards, long total) =>
        JsonSerializer.Serialize(
            new
            {
                metadata = new { total_size = total },
                weight_map = shards
                    .Index()
                    .SelectMany(shard => shard.Item.Select(tensor => (tensor.Name, File: FileName(shard.Index, shards.Count))))
                    .ToDictionary(entry => entry.Name, entry => entry.File),
            }
        );

    private static string FileName(int number, int count) =>
        count == 1 ? "model.safetensors" : $"model-{number + 1:00000}-of-{count:00000}.safetensors";

    private static long Bytes(long[] shape) => 2 * shape.Aggregate(1L, (product, size) => product * size);
}
