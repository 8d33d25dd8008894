using LookaheadKV.Checkpoints.Gguf;
using LookaheadKV.Tests.Pretraining;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Checkpoints.Gguf;

/// <summary>Headers: what is written is read, what is damaged is refused in one line, split files are one model.</summary>
public sealed class GgufFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Model => _folder["model.gguf"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(2u, 32)]
    [InlineData(3u, 32)]
    [InlineData(3u, 64)]
    [InlineData(3u, 8)]
    public void Values_of_every_type_are_read(uint version, int alignment)
    {
        var builder = new GgufBuilder { Version = version, Alignment = alignment }
            .Set("u8", (byte)255)
            .Set("i8", (sbyte)-3)
            .Set("u16", (ushort)65535)
            .Set("i16", (short)-300)
            .Set("u32", 123u)
            .Set("i32", -70000)
            .Set("u64", 1UL << 30)
            .Set("i64", -5L)
            .Set("f32", 1e-5f)
            .Set("f64", 0.1)
            .Set("yes", true)
            .Set("text", "ä € 🙂")
            .Set("texts", new[] { "", "b", "ü" })
            .Set("numbers", new[] { 0.5f, -1 })
            .Set("bytes", new byte[] { 1, 2 })
            .Set("nested", new object[] { new[] { 1, 2 }, new[] { "x" }, Array.Empty<ulong>() })
            .Tensor("a", [2, 3], [1, 2, 3, 4, 5, 6])
            .Tensor("empty", [0, 3], [])
            .Tensor("b", [1], [7]);
        builder.Write(Model);
        var file = GgufFile.Open(Model);
        var metadata = file.Metadata;
        Assert.Equal(
            [255, -3, 65535, -300, 123, -70000, 1 << 30, -5],
            new[] { "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64" }.Select(metadata.WholeOrNull).Cast<int>()
        );
        Assert.Equal(1e-5, metadata.NumberOrNull("f32")); // the shortest decimal, not the float's digits
        Assert.Equal(0.1, metadata.NumberOrNull("f64"));
        Assert.True(metadata.FlagOrNull("yes"));
        Assert.Equal("ä € 🙂", metadata.Text("text"));
        Assert.Equal(["", "b", "ü"], metadata.Texts("texts"));
        Assert.Equal([0.5f, -1], metadata.NumbersOrNull("numbers"));
        Assert.Equal([1, 2], metadata.WholesOrNull("bytes"));
        Assert.True(metadata.Has("nested"));
        using var scope = NewDisposeScope();
        var places = file.Tensors.ToDictionary(tensor => tensor.Name, tensor => empty([.. tensor.Shape]));
        file.ReadInto(places);
        Assert.Equal([1, 2, 3, 4, 5, 6], places["a"].data<float>());
        Assert.Equal([7], places["b"].data<float>());
        Assert.Equal([2, 3], file.Find("a")!.Shape);
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused()
    {
        var bytes = Small().Bytes();
        for (var length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(Model, bytes[..length]);
            // Only padding is missing at the very end.
            if (length < bytes.Length - 28)
                Refused(
                    length == 0 ? "empty"
                    : length < 4 ? "GGUF"
                    : "truncated"
                );
        }
    }

    [Fact]
    public void Damage_is_refused_or_harmless_and_never_a_crash()
    {
        var whole = Small().Bytes();
        var random = new Random(3);
        for (var round = 0; round < 3000; round++)
        {
            var bytes = (byte[])whole.Clone();
            for (var change = random.Next(1, 4); change > 0; change--)
                bytes[random.Next(bytes.Length)] = random.Next(3) switch
                {
                    0 => 255,
                    1 => 0,
                    _ => (byte)random.Next(256),
                };
            File.WriteAllBytes(Model, bytes);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                GgufFile.Open(Model);
            }
            catch (InputException error)
            {
                Assert.DoesNotContain('\n', error.Message);
                Assert.Contains(Model, error.Message);
            }
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000 + 50 * bytes.Length);
        }
    }

    [Theory]
    [InlineData(1u, "version 1")]
    [InlineData(4u, "version 4")]
    [InlineData(0x03000000u, "big-endian")]
    public void Other_versions_are_refused_by_name(uint version, string named)
    {
        var builder = Small();
        builder.Version = version;
        builder.Write(Model);
        Refused(named);
    }

    [Theory]
    [InlineData(16u, "IQ2_XXS")]
    [InlineData(39u, "MXFP4")]
    [InlineData(4711u, "4711")]
    public void Types_that_are_not_read_are_refused_by_name(uint type, string named)
    {
        new GgufBuilder().Tensor("weird", type, [256], new byte[256]).Write(Model);
        Refused(named, "weird", "Q4_K");
    }

    [Fact]
    public void Rows_must_be_whole_blocks()
    {
        new GgufBuilder().Tensor("odd", 8, [2, 48], new byte[102]).Write(Model);
        Refused("odd", "Q8_0", "48");
    }

    [Fact]
    public void Names_are_one_line()
    {
        new GgufBuilder().Tensor("two\nlines", [1], [0]).Write(Model);
        Refused("two\\nlines", "control characters");
    }

    [Fact]
    public void What_is_there_twice_is_refused()
    {
        Small().Set("key", 3).Write(Model);
        Refused("\"key\" is there twice");
        Small().Tensor("first", [1], [0]).Write(Model);
        Refused("\"first\" is there twice");
    }

    [Fact]
    public void A_split_model_is_read_by_its_first_part()
    {
        Parts();
        var file = GgufFile.Open(Part(1));
        Assert.Equal(["a", "b", "c"], file.Tensors.Select(tensor => tensor.Name));
        using var scope = NewDisposeScope();
        var places = file.Tensors.ToDictionary(tensor => tensor.Name, _ => empty([1]));
        file.ReadInto(places);
        Assert.Equal([1, 2, 3], places.Values.Select(place => (int)place.item<float>()));
        Assert.Equal("x", file.Metadata.Text("name"));

        Refuse(Part(2), "part 2 of 3", Part(1));
        File.Move(Part(1), _folder["other.gguf"]);
        Refuse(_folder["other.gguf"], "-00001-of-00003.gguf");
        File.Move(_folder["other.gguf"], Part(1));
        File.Copy(Part(2), Part(3), overwrite: true);
        Refuse(Part(1), Part(3), "part 3");
        File.Delete(Part(3));
        Refuse(Part(1), Part(3), "missing");
    }

    [Fact]
    public void A_part_of_another_split_is_noticed()
    {
        Parts(stated: 4);
        Refuse(Part(1), "3 tensors, it states 4");
    }

    private string Part(int number) => _folder[$"m-{number:00000}-of-00003.gguf"];

    private void Parts(int stated = 3)
    {
        foreach (var (i, name) in new[] { "a", "b", "c" }.Index())
            new GgufBuilder()
                .Set("name", i == 0 ? "x" : "y")
                .Set("split.no", (ushort)i)
                .Set("split.count", (ushort)3)
                .Set("split.tensors.count", stated)
                .Tensor(name, [1], [i + 1])
                .Write(Part(i + 1));
    }

    private static GgufBuilder Small() =>
        new GgufBuilder()
            .Set("key", "value")
            .Set("list", new[] { "one", "two" })
            .Set("number", 7u)
            .Set("nested", new object[] { new[] { 1, 2 } })
            .Tensor("first", [2, 2], [1, 2, 3, 4])
            .Tensor("second", [1], [5]);

    private void Refused(params string[] parts) => Refuse(Model, parts);

    private static void Refuse(string path, params string[] parts)
    {
        var message = Assert.Throws<InputException>(() => GgufFile.Open(path)).Message;
        Assert.DoesNotContain('\n', message);
        Assert.All(parts.Append(path), part => Assert.Contains(part, message));
    }
}
