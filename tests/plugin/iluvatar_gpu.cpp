// A custom device for the tests: what the Iluvatar plugin is to Paddle, with the machine's own memory as the card.
//
// It is runtime-only. Paddle finds no kernel for the device and falls back to its CPU kernels, copying every operand
// through the functions below. So it says nothing about a card's arithmetic or speed; it does show that the program
// chooses a device, moves data to and from it, and takes the paths it takes on anything that is not a CPU.
//
// A copy checks that its device side lies inside an allocation, which finds a host pointer that is taken for a device
// pointer. IluvatarTestCounters() hands the counts to the test that loaded the library. Collectives go through shared
// memory, between ranks of one machine, and refuse float64.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "paddle/phi/backends/device_ext.h"

namespace {

constexpr char kType[] = "iluvatar_gpu";
constexpr char kSubType[] = "test";
constexpr size_t kDefaultDevices = 2;
constexpr size_t kMemory = size_t{4} << 30;  // what a device reports to have

struct Counters {
  uint64_t bytes_in_use;
  uint64_t peak_bytes;
  uint64_t allocations;
  uint64_t host_to_device;
  uint64_t device_to_host;
  uint64_t device_to_device;
  uint64_t strays;  // copies whose device side is not device memory
  uint64_t current_device;
};

// Never destroyed: Paddle gives memory back while the program ends, after this library's statics are gone
std::mutex& mutex = *new std::mutex;
Counters counters{};
std::map<uintptr_t, size_t>& blocks = *new std::map<uintptr_t, size_t>;  // start -> bytes

size_t DeviceCount() {
  const char* given = std::getenv("ILUVATAR_TEST_DEVICES");
  return given != nullptr ? std::strtoul(given, nullptr, 10) : kDefaultDevices;
}

bool Inside(const void* pointer, size_t size) {
  const auto start = reinterpret_cast<uintptr_t>(pointer);
  auto next = blocks.upper_bound(start);
  if (next == blocks.begin()) return false;
  const auto& [first, bytes] = *std::prev(next);
  return start + size <= first + bytes;
}

C_Status Copy(void* to, const void* from, size_t size, bool to_device, bool from_device) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    ++(!to_device ? counters.device_to_host : from_device ? counters.device_to_device : counters.host_to_device);
    if ((to_device && !Inside(to, size)) || (from_device && !Inside(from, size))) {
      ++counters.strays;
      std::fprintf(stderr, "%s: a copy of %zu bytes leaves the device's memory\n", kType, size);
      return C_ERROR;
    }
  }
  std::memcpy(to, from, size);
  return C_SUCCESS;
}

// Devices

C_Status Nothing() { return C_SUCCESS; }

C_Status DeviceNothing(const C_Device) { return C_SUCCESS; }

C_Status SetDevice(const C_Device device) {
  counters.current_device = static_cast<uint64_t>(device->id);
  return C_SUCCESS;
}

C_Status GetDevice(const C_Device device) {
  device->id = static_cast<int>(counters.current_device);
  return C_SUCCESS;
}

C_Status GetCount(size_t* count) {
  *count = DeviceCount();
  return C_SUCCESS;
}

C_Status GetList(size_t* devices) {
  for (size_t i = 0; i < DeviceCount(); ++i) devices[i] = i;
  return C_SUCCESS;
}

// Streams and events: everything is done when the call returns

C_Status CreateStream(const C_Device, C_Stream* stream) {
  *stream = nullptr;
  return C_SUCCESS;
}

C_Status StreamNothing(const C_Device, C_Stream) { return C_SUCCESS; }

C_Status CallBack(const C_Device device, C_Stream stream, C_Callback callback, void* user_data) {
  C_Status status = C_SUCCESS;
  callback(device, stream, user_data, &status);
  return status;
}

C_Status CreateEvent(const C_Device, C_Event* event) {
  *event = nullptr;
  return C_SUCCESS;
}

C_Status EventNothing(const C_Device, C_Event) { return C_SUCCESS; }

C_Status StreamEventNothing(const C_Device, C_Stream, C_Event) { return C_SUCCESS; }

// Memory

C_Status Allocate(const C_Device, void** pointer, size_t size) {
  if (size > kMemory) return C_FAILED;
  *pointer = std::malloc(size);
  if (*pointer == nullptr) return C_FAILED;
  const std::lock_guard<std::mutex> lock(mutex);
  blocks[reinterpret_cast<uintptr_t>(*pointer)] = size;
  ++counters.allocations;
  counters.bytes_in_use += size;
  if (counters.bytes_in_use > counters.peak_bytes) counters.peak_bytes = counters.bytes_in_use;
  return C_SUCCESS;
}

C_Status Free(const C_Device, void* pointer, size_t) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto block = blocks.find(reinterpret_cast<uintptr_t>(pointer));
    if (block == blocks.end()) return C_ERROR;
    counters.bytes_in_use -= block->second;
    blocks.erase(block);
  }
  std::free(pointer);
  return C_SUCCESS;
}

C_Status AllocateHost(const C_Device, void** pointer, size_t size) {
  *pointer = std::malloc(size);
  return *pointer != nullptr ? C_SUCCESS : C_FAILED;
}

C_Status FreeHost(const C_Device, void* pointer, size_t) {
  std::free(pointer);
  return C_SUCCESS;
}

C_Status Fill(const C_Device, void* pointer, unsigned char value, size_t size) {
  std::memset(pointer, value, size);
  return C_SUCCESS;
}

C_Status HostToDevice(const C_Device, void* to, const void* from, size_t size) {
  return Copy(to, from, size, true, false);
}

C_Status DeviceToHost(const C_Device, void* to, const void* from, size_t size) {
  return Copy(to, from, size, false, true);
}

C_Status DeviceToDevice(const C_Device, void* to, const void* from, size_t size) {
  return Copy(to, from, size, true, true);
}

C_Status Peer(const C_Device, const C_Device, void* to, const void* from, size_t size) {
  return Copy(to, from, size, true, true);
}

C_Status AsyncHostToDevice(const C_Device, C_Stream, void* to, const void* from, size_t size) {
  return Copy(to, from, size, true, false);
}

C_Status AsyncDeviceToHost(const C_Device, C_Stream, void* to, const void* from, size_t size) {
  return Copy(to, from, size, false, true);
}

C_Status AsyncDeviceToDevice(const C_Device, C_Stream, void* to, const void* from, size_t size) {
  return Copy(to, from, size, true, true);
}

C_Status AsyncPeer(const C_Device, const C_Device, C_Stream, void* to, const void* from, size_t size) {
  return Copy(to, from, size, true, true);
}

C_Status MemoryStats(const C_Device, size_t* total, size_t* free) {
  const std::lock_guard<std::mutex> lock(mutex);
  *total = kMemory;
  *free = counters.bytes_in_use < kMemory ? kMemory - counters.bytes_in_use : 0;
  return C_SUCCESS;
}

C_Status MinChunk(const C_Device, size_t* size) {
  *size = 512;
  return C_SUCCESS;
}

C_Status Version(const C_Device, size_t* version) {
  *version = 1;
  return C_SUCCESS;
}

C_Status Supported(const C_Device, bool* supported) {
  *supported = true;
  return C_SUCCESS;
}

// Collectives: the ranks of one machine meet in a piece of shared memory with a slot for each of them

constexpr size_t kNameSize = 64;
constexpr size_t kSlot = size_t{1} << 20;
constexpr int kPatience = 60 * 1000 * 10;  // naps of 0.1 ms: a minute

struct Meeting {
  std::atomic<uint32_t> arrived;
  std::atomic<uint32_t> round;
};

struct Group {
  size_t rank;
  size_t size;
  Meeting* meeting;
  char* slots;
};

Group* GroupOf(C_CCLComm comm) { return reinterpret_cast<Group*>(comm); }

bool Meet(Group* group) {
  const uint32_t round = group->meeting->round.load();
  if (group->meeting->arrived.fetch_add(1) + 1 == group->size) {
    group->meeting->arrived.store(0);
    group->meeting->round.fetch_add(1);
    return true;
  }
  for (int nap = 0; nap < kPatience; ++nap) {
    if (group->meeting->round.load() != round) return true;
    usleep(100);
  }
  return false;
}

size_t Width(C_DataType type) {
  switch (type) {
    case BOOL:
    case UINT8:
    case INT8:
      return 1;
    case FLOAT16:
    case BFLOAT16:
      return 2;
    case INT32:
    case FLOAT32:
      return 4;
    case INT64:
      return 8;
    default:
      return 0;  // float64 and complex numbers must not come here
  }
}

// Shows every rank's bytes to the others, slot by slot: use(offset, bytes) runs while all slots are filled.
template <typename Use>
C_Status Exchange(Group* group, const void* from, size_t bytes, Use use) {
  for (size_t offset = 0; offset < bytes; offset += kSlot) {
    const size_t part = std::min(kSlot, bytes - offset);
    std::memcpy(group->slots + group->rank * kSlot, static_cast<const char*>(from) + offset, part);
    if (!Meet(group)) return C_FAILED;
    use(offset, part);
    if (!Meet(group)) return C_FAILED;
  }
  return C_SUCCESS;
}

template <typename T>
void Reduce(const Group* group, T* to, size_t count, C_CCLReduceOp op) {
  for (size_t i = 0; i < count; ++i) {
    T value = reinterpret_cast<const T*>(group->slots)[i];
    for (size_t rank = 1; rank < group->size; ++rank) {
      const T other = reinterpret_cast<const T*>(group->slots + rank * kSlot)[i];
      value = op == MAX ? std::max(value, other) : op == MIN ? std::min(value, other) : static_cast<T>(value + other);
    }
    to[i] = value;
  }
}

C_Status UniqueIdSize(size_t* size) {
  *size = kNameSize;
  return C_SUCCESS;
}

C_Status UniqueId(C_CCLRootId* id) {
  static std::atomic<int> made{0};
  std::snprintf(static_cast<char*>(id->data), kNameSize, "/iluvatar_test_%d_%d", getpid(), ++made);
  return C_SUCCESS;
}

C_Status JoinGroup(size_t size, C_CCLRootId* id, size_t rank, C_CCLComm* comm) {
  const char* name = static_cast<const char*>(id->data);
  const size_t bytes = kSlot * (size + 1);
  const int file = shm_open(name, O_CREAT | O_RDWR, 0600);
  if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0) return C_FAILED;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return C_FAILED;
  auto* group = new Group{rank, size, static_cast<Meeting*>(memory), static_cast<char*>(memory) + kSlot};
  if (!Meet(group)) return C_FAILED;
  if (rank == 0) shm_unlink(name);
  *comm = reinterpret_cast<C_CCLComm>(group);
  return C_SUCCESS;
}

C_Status LeaveGroup(C_CCLComm comm) {
  munmap(GroupOf(comm)->meeting, kSlot * (GroupOf(comm)->size + 1));
  delete GroupOf(comm);
  return C_SUCCESS;
}

C_Status AllReduce(void* from, void* to, size_t count, C_DataType type, C_CCLReduceOp op, C_CCLComm comm, C_Stream) {
  Group* group = GroupOf(comm);
  if (op == AVG || op == PRODUCT || (type != FLOAT32 && type != INT32 && type != INT64)) return C_ERROR;
  return Exchange(group, from, count * Width(type), [&](size_t offset, size_t bytes) {
    char* target = static_cast<char*>(to) + offset;
    if (type == FLOAT32) Reduce(group, reinterpret_cast<float*>(target), bytes / sizeof(float), op);
    if (type == INT32) Reduce(group, reinterpret_cast<int32_t*>(target), bytes / sizeof(int32_t), op);
    if (type == INT64) Reduce(group, reinterpret_cast<int64_t*>(target), bytes / sizeof(int64_t), op);
  });
}

C_Status Broadcast(void* buffer, size_t count, C_DataType type, size_t root, C_CCLComm comm, C_Stream) {
  if (Width(type) == 0) return C_ERROR;
  return Exchange(GroupOf(comm), buffer, count * Width(type), [&](size_t offset, size_t bytes) {
    std::memcpy(static_cast<char*>(buffer) + offset, GroupOf(comm)->slots + root * kSlot, bytes);
  });
}

C_Status AllGather(void* from, void* to, size_t count, C_DataType type, C_CCLComm comm, C_Stream) {
  const size_t all = count * Width(type);
  if (Width(type) == 0) return C_ERROR;
  return Exchange(GroupOf(comm), from, all, [&](size_t offset, size_t bytes) {
    for (size_t rank = 0; rank < GroupOf(comm)->size; ++rank) {
      std::memcpy(static_cast<char*>(to) + rank * all + offset, GroupOf(comm)->slots + rank * kSlot, bytes);
    }
  });
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void IluvatarTestCounters(Counters* result) {
  const std::lock_guard<std::mutex> lock(mutex);
  *result = counters;
}

__attribute__((visibility("default"))) void InitPlugin(CustomRuntimeParams* params) {
  PADDLE_CUSTOM_RUNTIME_CHECK_VERSION(params);
  params->device_type = const_cast<char*>(kType);
  params->sub_device_type = const_cast<char*>(kSubType);
  C_DeviceInterface* device = params->interface;
  std::memset(static_cast<void*>(device), 0, sizeof(C_DeviceInterface));
  device->size = sizeof(C_DeviceInterface);

  device->initialize = Nothing;
  device->finalize = Nothing;
  device->init_device = DeviceNothing;
  device->set_device = SetDevice;
  device->get_device = GetDevice;
  device->deinit_device = DeviceNothing;
  device->create_stream = CreateStream;
  device->destroy_stream = StreamNothing;
  device->query_stream = StreamNothing;
  device->stream_add_callback = CallBack;
  device->create_event = CreateEvent;
  device->record_event = StreamEventNothing;
  device->destroy_event = EventNothing;
  device->query_event = EventNothing;
  device->synchronize_device = DeviceNothing;
  device->synchronize_stream = StreamNothing;
  device->synchronize_event = EventNothing;
  device->stream_wait_event = StreamEventNothing;

  device->device_memory_allocate = Allocate;
  device->device_memory_deallocate = Free;
  device->device_memory_set = Fill;
  device->host_memory_allocate = AllocateHost;
  device->host_memory_deallocate = FreeHost;
  device->memory_copy_h2d = HostToDevice;
  device->memory_copy_d2h = DeviceToHost;
  device->memory_copy_d2d = DeviceToDevice;
  device->memory_copy_p2p = Peer;
  device->async_memory_copy_h2d = AsyncHostToDevice;
  device->async_memory_copy_d2h = AsyncDeviceToHost;
  device->async_memory_copy_d2d = AsyncDeviceToDevice;
  device->async_memory_copy_p2p = AsyncPeer;

  device->get_device_count = GetCount;
  device->get_device_list = GetList;
  device->device_memory_stats = MemoryStats;
  device->device_min_chunk_size = MinChunk;
  device->get_compute_capability = Version;
  device->get_runtime_version = Version;
  device->get_driver_version = Version;
  device->is_float16_supported = Supported;
  device->is_bfloat16_supported = Supported;

  device->xccl_get_unique_id_size = UniqueIdSize;
  device->xccl_get_unique_id = UniqueId;
  device->xccl_comm_init_rank = JoinGroup;
  device->xccl_destroy_comm = LeaveGroup;
  device->xccl_all_reduce = AllReduce;
  device->xccl_broadcast = Broadcast;
  device->xccl_all_gather = AllGather;
  device->xccl_group_start = Nothing;
  device->xccl_group_end = Nothing;
}

}  // extern "C"
