using LookaheadKV.Checkpoints;
using LookaheadKV.Checkpoints.Gguf;
using LookaheadKV.Tests.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Checkpoints.Gguf;

/// <summary>Numbers of every stored type, to the last bit.</summary>
public sealed class StoredTypesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Types() => [.. PlainBlock.All.Select(block => block.Name)];

    [Fact]
    public void Every_type_is_what_ggufs_own_library_makes_of_it()
    {
        var file = GgufFile.Open(RealModel.At("gguf-types", "types.gguf"));
        using var expected = SafetensorsFile.Open(RealModel.At("gguf-types", "types.safetensors"));
        Assert.Equal(
            expected.Names.Order(StringComparer.Ordinal),
            file.Tensors.Select(tensor => tensor.Name).Order(StringComparer.Ordinal)
        );
        using var scope = NewDisposeScope();
        foreach (var tensor in file.Tensors)
            Assert.Equal(expected.Read(tensor.Name).bytes, Read(file, tensor.Name, ScalarType.Float32).bytes);
        Assert.Equal(42, file.Metadata.Count("test.number"));
        Assert.Equal([1, 2, 3], file.Metadata.WholesOrNull("test.list"));
        Assert.True(file.Metadata.FlagOrNull("test.flag"));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Random_blocks_are_what_a_plain_reading_of_the_format_gives(string name)
    {
        var block = PlainBlock.All.Single(type => type.Name == name);
        var random = new Random(17);
        using var scope = NewDisposeScope();
        foreach (var (rows, blocks) in new[] { (1, 1), (3, 2), (64, 5), (1, 8192 * 32 / block.Size) })
        {
            var bytes = block.Random(random, rows * blocks);
            new GgufBuilder().Tensor("x", block.Number, [rows, (long)blocks * block.Size], bytes).Write(_folder["x.gguf"]);
            var file = GgufFile.Open(_folder["x.gguf"]);
            var read = Read(file, "x", ScalarType.Float32);
            Assert.Equal(
                block.Values(bytes).Select(BitConverter.SingleToUInt32Bits),
                read.data<float>().Select(BitConverter.SingleToUInt32Bits)
            );
            foreach (var other in (ScalarType[])[ScalarType.BFloat16, ScalarType.Float16, ScalarType.Float64])
                Assert.Equal(read.to(other).bytes, Read(file, "x", other).bytes);
        }
    }

    [Fact]
    public void A_view_takes_rows_in_another_order()
    {
        var block = PlainBlock.All.Single(type => type.Name == "Q4_0");
        var bytes = block.Random(new Random(5), 12 * 2);
        new GgufBuilder().Tensor("x", block.Number, [12, 64], bytes).Write(_folder["x.gguf"]);
        using var scope = NewDisposeScope();
        var file = GgufFile.Open(_folder["x.gguf"]);
        var straight = Read(file, "x", ScalarType.Float32);
        var place = empty([12, 64]);
        file.ReadInto(new Dictionary<string, Tensor> { ["x"] = place.view(2, 2, 3, 64).transpose(1, 2) });
        // Two heads of three pairs: number p of part i of head h stands in row (h, p, i) of the file.
        Assert.Equal(straight.view(2, 3, 2, 64).transpose(1, 2).contiguous().bytes, place.bytes);
    }

    [Theory]
    [InlineData("Q4_0", 4096, 2048, ScalarType.BFloat16)]
    [InlineData("F16", 4096, 2048, ScalarType.BFloat16)]
    [InlineData("Q8_0", 2, 3 << 20, ScalarType.Float16)] // rows beyond a chunk
    [InlineData("Q8_0", 4096, 2048, ScalarType.Float32)]
    [InlineData("F32", 1000, 2100, ScalarType.Float32)]
    public void Besides_its_place_a_tensor_takes_one_chunk_at_a_time(string name, int rows, int columns, ScalarType dtype)
    {
        var block = PlainBlock.All.Single(type => type.Name == name);
        new GgufBuilder()
            .Tensor("x", block.Number, [rows, columns], new byte[(long)rows * columns / block.Size * block.Bytes])
            .Write(_folder["x.gguf"]);
        using var bytes = MappedBytes.Open(_folder["x.gguf"]);
        var tensor = GgufHeader.Read("x", bytes).Tensors.Single();
        using var scope = NewDisposeScope();
        var place = empty([rows, columns], dtype);
        var scratch = new List<Tensor>();
        var managed = GC.GetAllocatedBytesForCurrentThread();
        TensorReading.Into(bytes, tensor, place, Scratch);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - managed, 0, 1 << 20);
        Assert.Equal(dtype == ScalarType.Float32, scratch.Count == 0); // the same bits, or made where they stay
        Assert.All(scratch, used => Assert.True(used.IsInvalid));

        Tensor Scratch(long[] shape, ScalarType type)
        {
            Assert.All(scratch, before => Assert.True(before.IsInvalid)); // each goes before the next comes
            Assert.InRange(shape.Aggregate(1L, (a, b) => a * b), 1, Math.Max(TensorReading.ChunkElements, columns));
            scratch.Add(empty(shape, type));
            return scratch[^1];
        }
    }

    private static Tensor Read(GgufFile file, string name, ScalarType dtype)
    {
        var place = empty([.. file.Find(name)!.Shape], dtype);
        file.ReadInto(new Dictionary<string, Tensor> { [name] = place });
        return place;
    }
}
