using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>The element types of safetensors files that TorchSharp has too: their names in the file and sizes in bytes.</summary>
internal static class SafetensorsTypes
{
    private static readonly (string Name, ScalarType DType, int Size)[] Table =
    [
        ("F64", ScalarType.Float64, 8),
        ("F32", ScalarType.Float32, 4),
        ("F16", ScalarType.Float16, 2),
        ("BF16", ScalarType.BFloat16, 2),
        ("I64", ScalarType.Int64, 8),
        ("I32", ScalarType.Int32, 4),
        ("I16", ScalarType.Int16, 2),
        ("I8", ScalarType.Int8, 1),
        ("U8", ScalarType.Byte, 1),
        ("BOOL", ScalarType.Bool, 1),
    ];

    /// <summary>All names, for error messages.</summary>
    internal static string Names => string.Join(", ", Table.Select(row => row.Name));

    /// <summary>The type of a name; null if it is none of ours.</summary>
    internal static ScalarType? Parse(string name) =>
        Table.Where(row => row.Name == name).Select(row => (ScalarType?)row.DType).FirstOrDefault();

    /// <summary>The name of a type; null if files cannot hold it.</summary>
    internal static string? Name(ScalarType dtype) => Table.FirstOrDefault(row => row.DType == dtype).Name;

    /// <summary>Bytes of one element of a type of the table.</summary>
    internal static int Size(ScalarType dtype) => Table.Single(row => row.DType == dtype).Size;
}
