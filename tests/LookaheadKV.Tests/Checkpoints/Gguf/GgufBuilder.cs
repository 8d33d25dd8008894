using System.Text;

namespace LookaheadKV.Tests.Checkpoints.Gguf;

/// <summary>Writes GGUF files from the format's description alone; it shares nothing with the reader.</summary>
internal sealed class GgufBuilder
{
    private readonly List<Action<BinaryWriter>> _entries = [];
    private readonly List<(string Name, uint Type, long[] Shape, byte[] Bytes)> _tensors = [];

    public uint Version { get; set; } = 3;
    public int Alignment { get; set; } = 32;

    /// <summary>Adds a metadata entry; an array of arrays is an <c>object[]</c>.</summary>
    public GgufBuilder Set(string key, object value)
    {
        _entries.Add(to =>
        {
            Text(to, key);
            to.Write(TypeOf(value.GetType()));
            Value(to, value);
        });
        return this;
    }

    /// <summary>Adds a tensor of the ggml type of this number; the shape has the slowest size first.</summary>
    public GgufBuilder Tensor(string name, uint type, long[] shape, byte[] bytes)
    {
        _tensors.Add((name, type, shape, bytes));
        return this;
    }

    public GgufBuilder Tensor(string name, long[] shape, float[] values)
    {
        var bytes = new byte[4 * values.Length];
        Buffer.BlockCopy(values, 0, bytes, 0, bytes.Length);
        return Tensor(name, 0, shape, bytes);
    }

    public byte[] Bytes()
    {
        if (Alignment != 32)
            Set("general.alignment", (uint)Alignment);
        using var stream = new MemoryStream();
        using var to = new BinaryWriter(stream);
        to.Write("GGUF"u8);
        to.Write(Version);
        to.Write((ulong)_tensors.Count);
        to.Write((ulong)_entries.Count);
        foreach (var entry in _entries)
            entry(to);
        var offset = 0UL;
        foreach (var (name, type, shape, bytes) in _tensors)
        {
            Text(to, name);
            to.Write((uint)shape.Length);
            foreach (var size in shape.Reverse())
                to.Write((ulong)size);
            to.Write(type);
            to.Write(offset);
            offset += (ulong)(bytes.Length + Padding(bytes.Length));
        }
        to.Write(new byte[Padding(stream.Position)]);
        foreach (var (_, _, _, bytes) in _tensors)
        {
            to.Write(bytes);
            to.Write(new byte[Padding(bytes.Length)]);
        }
        return stream.ToArray();
    }

    public void Write(string path) => File.WriteAllBytes(path, Bytes());

    private int Padding(long length) => (int)((Alignment - length % Alignment) % Alignment);

    private static void Text(BinaryWriter to, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        to.Write((ulong)bytes.Length);
        to.Write(bytes);
    }

    private static uint TypeOf(Type type) =>
        type.IsArray
            ? 9u
            : Type.GetTypeCode(type) switch
            {
                TypeCode.Byte => 0u,
                TypeCode.SByte => 1,
                TypeCode.UInt16 => 2,
                TypeCode.Int16 => 3,
                TypeCode.UInt32 => 4,
                TypeCode.Int32 => 5,
                TypeCode.Single => 6,
                TypeCode.Boolean => 7,
                TypeCode.String => 8,
                TypeCode.UInt64 => 10,
                TypeCode.Int64 => 11,
                TypeCode.Double => 12,
                _ => throw new ArgumentException(type.Name),
            };

    private static void Value(BinaryWriter to, object value)
    {
        switch (value)
        {
            case byte v:
                to.Write(v);
                break;
            case sbyte v:
                to.Write(v);
                break;
            case ushort v:
                to.Write(v);
                break;
            case short v:
                to.Write(v);
                break;
            case uint v:
                to.Write(v);
                break;
            case int v:
                to.Write(v);
                break;
            case float v:
                to.Write(v);
                break;
            case bool v:
                to.Write(v);
                break;
            case string v:
                Text(to, v);
                break;
            case ulong v:
                to.Write(v);
                break;
            case long v:
                to.Write(v);
                break;
            case double v:
                to.Write(v);
                break;
            case Array list:
                var element = value.GetType().GetElementType()!;
                to.Write(element == typeof(object) ? 9u : TypeOf(element));
                to.Write((ulong)list.Length);
                foreach (var item in list)
                    Value(to, item);
                break;
            default:
                throw new ArgumentException(value.GetType().Name);
        }
    }
}
