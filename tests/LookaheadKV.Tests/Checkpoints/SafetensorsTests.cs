using System.Text;
using LookaheadKV.Checkpoints;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Checkpoints;

public sealed class SafetensorsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lookaheadkv-tests-").FullName;
    private readonly DisposeScope scope = NewDisposeScope();

    private string At(string name) => Path.Combine(folder, name);

    public void Dispose()
    {
        scope.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private static readonly (ScalarType DType, int Size)[] Types =
    [
        (ScalarType.Float64, 8),
        (ScalarType.Float32, 4),
        (ScalarType.Float16, 2),
        (ScalarType.BFloat16, 2),
        (ScalarType.Int64, 8),
        (ScalarType.Int32, 4),
        (ScalarType.Int16, 2),
        (ScalarType.Int8, 1),
        (ScalarType.Byte, 1),
        (ScalarType.Bool, 1),
    ];

    /// <summary>Any bits, NaNs of every payload and subnormals included; a bool is 0 or 1.</summary>
    private static byte[] Bits(Random random, ScalarType dtype, long count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return dtype == ScalarType.Bool ? [.. bytes.Select(b => (byte)(b & 1))] : bytes;
    }

    private static Tensor FromBits(ScalarType dtype, long[] shape, byte[] bits)
    {
        var tensor = empty(shape, dtype);
        if (bits.Length > 0)
            tensor.view(-1).bytes = bits;
        return tensor;
    }

    private static byte[] BitsOf(Tensor tensor) => tensor.numel() == 0 ? [] : tensor.contiguous().view(-1).bytes.ToArray();

    private static List<(string Name, Tensor Tensor, byte[] Bits)> RandomTensors(Random random)
    {
        var tensors = new List<(string, Tensor, byte[])>();
        for (var i = 0; i < random.Next(8); i++)
        {
            var (dtype, size) = Types[random.Next(Types.Length)];
            // Rank 0 is a scalar; a size of 0 makes an empty tensor.
            var shape = Enumerable.Range(0, random.Next(5)).Select(_ => (long)random.Next(6)).ToArray();
            var bits = Bits(random, dtype, shape.Aggregate(1L, (product, n) => product * n) * size);
            tensors.Add(($"layers.{i}.\"ключ\"\t{random.Next()}", FromBits(dtype, shape, bits), bits));
        }
        return tensors;
    }

    [Fact]
    public void WhatIsWrittenIsRead()
    {
        var random = new Random(20);
        for (var run = 0; run < 100; run++)
        {
            using var runScope = NewDisposeScope();
            var tensors = RandomTensors(random);
            var metadata = Enumerable.Range(0, random.Next(3)).ToDictionary(i => $"key {i}", i => $"\"{random.Next()}\"\n€");
            Safetensors.Write(At("a"), tensors.Select(tensor => (tensor.Name, tensor.Tensor)), metadata);

            var raw = File.ReadAllBytes(At("a"));
            using var file = SafetensorsFile.Open(At("a"));
            Assert.Equal(tensors.Select(tensor => tensor.Name).Order(), file.Names.Order());
            Assert.Equal(metadata, file.Metadata);
            foreach (var (name, tensor, bits) in tensors)
            {
                var info = file.Info(name);
                Assert.Equal(tensor.dtype, info.DType);
                Assert.Equal(tensor.shape, info.Shape);
                Assert.Equal(bits.Length, info.Bytes);
                Assert.Equal(bits, raw[(int)info.Begin..(int)info.End]);
                Assert.Equal(0, bits.Length == 0 ? 0 : info.Begin % Types.Single(type => type.DType == info.DType).Size);

                var read = file.Read(name);
                Assert.Equal((tensor.dtype, DeviceType.CPU), (read.dtype, read.device_type));
                Assert.Equal(tensor.shape, read.shape);
                Assert.Equal(bits, BitsOf(read));
            }
        }
    }

    [Fact]
    public void TheOrderGivenDoesNotMatter()
    {
        var random = new Random(3);
        var tensors = Enumerable
            .Range(0, 10)
            .SelectMany(_ => RandomTensors(random))
            .Select(tensor => (tensor.Name, tensor.Tensor))
            .ToList();
        Safetensors.Write(At("a"), tensors, new Dictionary<string, string> { ["x"] = "1", ["y"] = "2" });
        Safetensors.Write(At("b"), tensors.AsEnumerable().Reverse(), new Dictionary<string, string> { ["y"] = "2", ["x"] = "1" });
        Assert.Equal(File.ReadAllBytes(At("a")), File.ReadAllBytes(At("b")));
    }

    /// <summary>A file by hand: length, header, padding, then the wider type first.</summary>
    private static byte[] ByHand()
    {
        var header =
            """{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"a":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]},"c":{"dtype":"BOOL","shape":[],"data_offsets":[14,15]}}""";
        var length = (header.Length + 7) / 8 * 8;
        return
        [
            (byte)length,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            .. Encoding.ASCII.GetBytes(header.PadRight(length)),
            .. new byte[] { 0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xc0 }, // 1, -2
            .. new byte[] { 0x00, 0x3f, 0x80, 0x7f, 0x00, 0x80 }, // 0.5, infinity, -0
            .. new byte[] { 1 },
        ];
    }

    [Fact]
    public void WritesTheBytesOfAHandMadeFile()
    {
        Safetensors.Write(
            At("a"),
            [
                ("a", tensor(new[] { 0.5f, float.PositiveInfinity, -0f }).to_type(ScalarType.BFloat16)),
                ("b", tensor(new[] { 1f, -2f }).reshape(2, 1)),
                ("c", tensor(true)),
            ],
            new Dictionary<string, string> { ["format"] = "pt" }
        );
        Assert.Equal(ByHand(), File.ReadAllBytes(At("a")));
    }

    [Fact]
    public void ReadsAHandMadeFile()
    {
        File.WriteAllBytes(At("a"), ByHand());
        using var file = SafetensorsFile.Open(At("a"));
        Assert.Equal(["b", "a", "c"], file.Names);
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal([1f, -2f], file.Read("b").data<float>().ToArray());
        Assert.Equal([2L, 1L], file.Read("b").shape);
        Assert.Equal([0.5f, float.PositiveInfinity, -0f], file.Read("a", dtype: ScalarType.Float32).data<float>().ToArray());
        Assert.True(file.Read("c").item<bool>());
    }

    [Fact]
    public void ViewsAndParametersAreWrittenAsTheirValues()
    {
        var grid = arange(6, ScalarType.Float32).reshape(2, 3);
        Safetensors.Write(
            At("a"),
            [
                ("transposed", grid.t()),
                ("expanded", tensor(7f).expand(4)),
                ("slice", grid[.., 1]),
                ("parameter", new TorchSharp.Modules.Parameter(ones(2))),
            ]
        );
        using var file = SafetensorsFile.Open(At("a"));
        Assert.Equal([0f, 3f, 1f, 4f, 2f, 5f], file.Read("transposed").data<float>().ToArray());
        Assert.Equal([7f, 7f, 7f, 7f], file.Read("expanded").data<float>().ToArray());
        Assert.Equal([1f, 4f], file.Read("slice").data<float>().ToArray());
        Assert.False(file.Read("parameter").requires_grad);
    }

    [Fact]
    public void AFailedWriteLeavesTheOldFileAndNothingElse()
    {
        Safetensors.Write(At("a"), [("x", ones(2))]);
        var before = File.ReadAllBytes(At("a"));
        var disposed = ones(2);
        disposed.Dispose();
        Assert.ThrowsAny<Exception>(() => Safetensors.Write(At("a"), [("x", zeros(2)), ("y", disposed)]));
        Assert.Equal(before, File.ReadAllBytes(At("a")));
        Assert.Equal([At("a")], Directory.GetFiles(folder));
    }

    [Fact]
    public void WhatCannotBeWrittenIsRefused()
    {
        string Message(params (string, Tensor)[] tensors) =>
            Assert.Throws<InputException>(() => Safetensors.Write(At("a"), tensors)).Message;

        Assert.Contains("two tensors are named 'x'", Message(("x", ones(1)), ("x", ones(2))), StringComparison.Ordinal);
        Assert.Contains(
            "tensor 'z' has type ComplexFloat32",
            Message(("z", zeros(1, ScalarType.ComplexFloat32))),
            StringComparison.Ordinal
        );
        Assert.Contains("the name __metadata__", Message(("__metadata__", ones(1))), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder));
        Assert.Throws<InputException>(() => Safetensors.Write(Path.Combine(folder, "none", "a"), [("x", ones(1))]));
    }

    [Fact]
    public void ReadingLeavesOneTensorAndWritingNone()
    {
        var tensors = new[] { ("x", ones(3, 4).t()), ("y", ones(2, ScalarType.Float16)) };
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Safetensors.Write(At("a"), tensors);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        using var file = SafetensorsFile.Open(At("a"));
        using var read = file.Read("x", dtype: ScalarType.BFloat16);
        Assert.Equal(before + 1, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(7)]
    [InlineData(40)]
    [InlineData(1000)]
    public void ChunksCoverATensorOnceInOrder(int limit)
    {
        var tensor = arange(10, ScalarType.Float32).reshape(2, 5);
        var chunks = TensorBytes.Chunks(tensor, limit).Select(chunk => (chunk.Offset, Bytes: chunk.View.bytes.ToArray())).ToList();
        Assert.Equal(BitsOf(tensor), chunks.SelectMany(chunk => chunk.Bytes));
        Assert.All(chunks, chunk => Assert.InRange(chunk.Bytes.Length, 4, Math.Max(4, limit)));
        var offset = 0;
        foreach (var chunk in chunks)
        {
            Assert.Equal(offset, chunk.Offset);
            offset += chunk.Bytes.Length;
        }
        Assert.Empty(TensorBytes.Chunks(empty(0, 3)));
    }
}
