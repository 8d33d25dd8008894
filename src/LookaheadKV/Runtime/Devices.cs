using TorchSharp;

namespace LookaheadKV.Runtime;

/// <summary>The device that tensors live on, by name.</summary>
public static class Devices
{
    /// <summary>The device of a name: "cpu", "cuda" (the first GPU), "cuda:1"; null is CUDA where there is a GPU, else the CPU.</summary>
    /// <exception cref="InputException">The name is none of these, or the GPU it names is not there.</exception>
    public static torch.Device Parse(string? name)
    {
        if (name is null)
            return torch.cuda.is_available() ? torch.CUDA : torch.CPU;
        if (Index(name) is not { } index)
            return torch.CPU;
        var count = torch.cuda.is_available() ? torch.cuda.device_count() : 0;
        if (count == 0)
        {
            throw new InputException(
                $"Device '{name}' was asked for, but libtorch sees no GPU; use cpu, or a CUDA build of libtorch ({NativeLibraries.FolderVariable} "
                    + "names its folder) on a machine with an NVIDIA GPU and driver."
            );
        }
        if (index >= count)
            throw new InputException($"Device '{name}' was asked for, but there are {count} GPUs; use cuda:0 to cuda:{count - 1}.");
        return torch.device(DeviceType.CUDA, index);
    }

    /// <summary>The GPU that a name means, counted from 0, whether or not it is there; null for the CPU.</summary>
    /// <exception cref="InputException">The name is none of a device.</exception>
    public static int? Index(string name)
    {
        var index = 0;
        return name switch
        {
            "cpu" => null,
            "cuda" => 0,
            _ when name.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(name.AsSpan(5), out index) && index >= 0 => index,
            _ => throw new InputException($"Device '{name}' is unknown; use cpu, cuda or cuda:N."),
        };
    }

    /// <summary>A device in words, for the head of a report: "cpu (2 threads)" or "cuda:0 (NVIDIA H100 80GB HBM3, 79 GiB)".</summary>
    public static string Describe(torch.Device device)
    {
        if (device.type != DeviceType.CUDA)
            return $"{device} ({torch.get_num_threads()} threads)";
        var index = Math.Max(device.index, 0);
        var (name, bytes) = CudaDriver.Describe(index);
        return $"cuda:{index} ({name}, {bytes >> 30} GiB)";
    }

    /// <summary>Bytes of a GPU's memory that are in use, allocators' reserves and other processes included; null for the CPU.</summary>
    public static long? BytesInUse(torch.Device device) =>
        device.type == DeviceType.CUDA ? CudaDriver.BytesInUse(Math.Max(device.index, 0)) : null;
}
