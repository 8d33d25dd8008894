using System.Text.Json;
using LookaheadKV.Files;

namespace LookaheadKV.Checkpoints;

/// <summary>A model's weights as the files of a Hugging Face folder: <c>model.safetensors</c>, or shards and their index.</summary>
internal static class SafetensorsShards
{
    private const string Index = "model.safetensors.index.json";

    /// <summary>Writes the files one after the other. Where that fails, those that are there go: half of a model would be in the way of the next call.</summary>
    /// <param name="folder">A folder without a model.</param>
    /// <param name="tensors">Names and shapes of all.</param>
    /// <param name="elementSize">Bytes of a number.</param>
    /// <param name="shardBytes">Most bytes of a shard (a single larger tensor is a shard of its own).</param>
    /// <param name="write">Writes the tensors of a shard to a path.</param>
    /// <param name="last">Writes what makes the folder a whole model.</param>
    public static void Write(
        string folder,
        IReadOnlyList<(string Name, long[] Shape)> tensors,
        int elementSize,
        long shardBytes,
        Action<string, IReadOnlyList<(string Name, long[] Shape)>> write,
        Action last
    )
    {
        var shards = Cut(tensors, elementSize, shardBytes);
        try
        {
            foreach (var (number, shard) in shards.Index())
                write(Path.Combine(folder, FileName(number, shards.Count)), shard);
            if (shards.Count > 1)
                AtomicFile.WriteText(Path.Combine(folder, Index), IndexOf(shards, tensors.Sum(tensor => Bytes(tensor.Shape, elementSize))));
            last();
        }
        catch
        {
            foreach (var file in Enumerable.Range(0, shards.Count).Select(number => FileName(number, shards.Count)).Append(Index))
                File.Delete(Path.Combine(folder, file));
            throw;
        }
    }

    /// <summary>Bytes of a tensor.</summary>
    public static long Bytes(IEnumerable<long> shape, int elementSize) =>
        shape.Aggregate((long)elementSize, (product, size) => product * size);

    private static List<List<(string Name, long[] Shape)>> Cut(
        IEnumerable<(string Name, long[] Shape)> tensors,
        int elementSize,
        long limit
    )
    {
        var shards = new List<List<(string Name, long[] Shape)>>();
        var held = long.MaxValue;
        foreach (var tensor in tensors)
        {
            var bytes = Bytes(tensor.Shape, elementSize);
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
}
