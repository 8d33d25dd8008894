using System.Buffers.Binary;
using System.Text;
using LookaheadKV.Checkpoints;
using Xunit;

namespace LookaheadKV.Tests.Checkpoints;

/// <summary>Damage to a file, and files beyond 2 GiB.</summary>
public sealed class SafetensorsFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lookaheadkv-tests-").FullName;

    private string Path => System.IO.Path.Combine(folder, "model.safetensors");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private void Write(string header, int data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + json.Length + data];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, json.Length);
        json.CopyTo(bytes, 8);
        File.WriteAllBytes(Path, bytes);
    }

    private string Refusal()
    {
        var message = Assert.Throws<InputException>(() => SafetensorsFile.Open(Path)).Message;
        Assert.DoesNotContain('\n', message);
        Assert.Contains(Path, message, StringComparison.Ordinal);
        return message;
    }

    private static string F32(string name, string shape, int begin, int end) =>
        $$"""
            "{{name}}":{"dtype":"F32","shape":{{shape}},"data_offsets":[{{begin}},{{end}}]}
            """;

    [Fact]
    public void AMissingFileIsRefused() => Assert.StartsWith($"There is no file {Path};", Refusal(), StringComparison.Ordinal);

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void AFileTooShortForALengthIsRefused(int length)
    {
        File.WriteAllBytes(Path, new byte[length]);
        Assert.Contains($"it has {length} bytes, fewer than the 8", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(100_000_001UL)]
    [InlineData(ulong.MaxValue)]
    public void AnAbsurdHeaderLengthIsRefused(ulong length)
    {
        var bytes = new byte[100];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        File.WriteAllBytes(Path, bytes);
        Assert.Contains($"a header of {length} bytes, the format allows 100000000", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"x\":", "its header: line 1: not JSON (")]
    [InlineData("", "its header: line 1: not JSON (")]
    [InlineData("{} {}", "its header: line 1: not JSON (")]
    [InlineData("[]", "the value is an empty array, must be an object")]
    [InlineData("""{"__metadata__":{"a":1}}""", "__metadata__.a is 1, must be a string")]
    [InlineData("""{"__metadata__":"a"}""", "__metadata__ is \"a\", must be an object")]
    [InlineData("""{"__metadata__":{"a":"1","a":"2"}}""", "its __metadata__ names 'a' twice")]
    [InlineData("""{"x":1}""", "x is 1, must be an object")]
    [InlineData("""{"x":{"shape":[],"data_offsets":[0,4]}}""", "x.dtype is missing")]
    [InlineData("""{"x":{"dtype":"F32","data_offsets":[0,4]}}""", "x.shape is missing")]
    [InlineData("""{"x":{"dtype":"F32","shape":[]}}""", "x.data_offsets is missing")]
    [InlineData("""{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", "x.shape[0] is -1")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", "x.shape[0] is 1.5")]
    [InlineData("""{"x":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}""", "x.shape[0] is \"1\"")]
    [InlineData("""{"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", "x.data_offsets is an array, must be two whole numbers")]
    [InlineData(
        """{"x":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}""",
        "tensor 'x' has dtype F8_E4M3, which this reader does not know (it knows F64, F32, "
    )]
    [InlineData("""{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", "'x' of F32 [2] needs 8 bytes, its data_offsets are 0 to 4")]
    [InlineData("""{"x":{"dtype":"F32","shape":[],"data_offsets":[4,0]}}""", "'x' of F32 [] needs 4 bytes, its data_offsets are 4 to 0")]
    [InlineData("""{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", "needs more than 2^63 bytes")]
    [InlineData("""{"x":{"dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807]}}""", "which no file can hold")]
    public void ADamagedHeaderIsRefused(string header, string reason)
    {
        Write(header, 4);
        Assert.Contains(reason, Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void ANameThatComesTwiceIsRefused()
    {
        Write($"{{{F32("x", "[1]", 0, 4)},{F32("x", "[1]", 4, 8)}}}", 8);
        Assert.Contains("names 'x' twice", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void OverlapIsRefused()
    {
        Write($"{{{F32("x", "[2]", 0, 8)},{F32("y", "[2]", 4, 12)}}}", 12);
        Assert.Contains("'x' and 'y' overlap by 4 bytes", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void AGapIsRefused()
    {
        Write($"{{{F32("y", "[1]", 12, 16)},{F32("x", "[2]", 0, 8)}}}", 16);
        Assert.Contains("4 bytes between 'x' and 'y' belong to no tensor", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void BytesAtTheEndAreRefused()
    {
        Write($"{{{F32("x", "[1]", 0, 4)}}}", 7);
        Assert.Contains("3 bytes at its end, after 'x', belong to no tensor", Refusal(), StringComparison.Ordinal);
    }

    /// <summary>Cut anywhere, a file is refused, and the message counts what is missing.</summary>
    [Fact]
    public void EveryTruncationIsRefused()
    {
        Write($"{{{F32("x", "[2,1]", 0, 8)},{F32("empty", "[0]", 8, 8)},{F32("y", "[]", 8, 12)}}}", 12);
        var whole = File.ReadAllBytes(Path);
        SafetensorsFile.Open(Path).Dispose();
        for (var length = 8; length < whole.Length; length++)
        {
            File.WriteAllBytes(Path, whole[..length]);
            var expected =
                length < whole.Length - 12
                    ? $"it is truncated: {whole.Length - 12 - length} bytes of its header are missing"
                    : $"it is truncated: {whole.Length - length} bytes are missing at the end of tensor 'y'";
            Assert.Contains(expected, Refusal(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void AFileWithoutTensorsIsSound()
    {
        Write("{}", 0);
        using var file = SafetensorsFile.Open(Path);
        Assert.Empty(file.Names);
        Assert.Empty(file.Metadata);
    }

    [Fact]
    public void AMissingNameIsRefusedWithThoseThereAre()
    {
        Write($"{{{F32("x", "[1]", 0, 4)},{F32("y", "[1]", 4, 8)}}}", 8);
        using var file = SafetensorsFile.Open(Path);
        var message = Assert.Throws<InputException>(() => file.Read("z")).Message;
        Assert.Equal($"{Path} has no tensor 'z'; it has x, y.", message);
    }

    [Fact]
    public void AClosedFileIsNotRead()
    {
        Write($"{{{F32("x", "[1]", 0, 4)}}}", 4);
        var file = SafetensorsFile.Open(Path);
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Read("x"));
    }

    /// <summary>The hole costs no disk: only the header and the last tensor are written.</summary>
    [Fact]
    public void OffsetsBeyondTwoGibibytesAreRight()
    {
        const long hole = (5L << 30) + 124;
        var json = Encoding.UTF8.GetBytes(
            $$$"""{"hole":{"dtype":"U8","shape":[{{{hole}}}],"data_offsets":[0,{{{hole}}}]},"""
                + $$$"""  "x":{"dtype":"I32","shape":[2],"data_offsets":[{{{hole}}},{{{hole + 8}}}]}}"""
        );
        using (var stream = File.Create(Path))
        {
            var length = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
            stream.Write(length);
            stream.Write(json);
            stream.Seek(hole, SeekOrigin.Current);
            stream.Write([1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff]);
        }
        using var file = SafetensorsFile.Open(Path);
        Assert.Equal(hole, file.Info("hole").Bytes);
        Assert.Equal(8 + json.Length + hole, file.Info("x").Begin);
        using var x = file.Read("x");
        Assert.Equal([1, -2], x.data<int>().ToArray());
    }
}
