"""A swarm in memory: as much of Docker's API as the spawner asks for, with
failures on request."""

from datetime import datetime, timezone

from docker.errors import APIError
from requests import Response
from requests.exceptions import ConnectionError as NoAnswer


def refusal(status, text):
    """Docker's no."""
    response = Response()
    response.status_code = status
    return APIError(text, response=response, explanation=text)


class Swarm:
    """Services by name; tasks by service id, in the order they were made."""

    def __init__(self):
        self.made = {}
        self.tasks_of = {}
        #: Errors the next calls answer with, by method.
        self.failures = {}
        #: What a new service's first task goes through, a state per look.
        self.path = ["pending", "running"]
        self.calls = []
        self.count = 0

    def task(self, service_id, state, wanted="running", **status):
        self.count += 1
        task = {
            "ID": f"t{self.count}",
            "ServiceID": service_id,
            "CreatedAt": f"2026-01-01T00:00:{self.count:02}Z",
            "DesiredState": wanted,
            "Status": {"State": state, **status},
        }
        self.tasks_of[service_id].append(task)
        return task

    def fail(self, method, *errors):
        self.failures.setdefault(method, []).extend(errors)

    def _called(self, method):
        self.calls.append(method)
        waiting = self.failures.get(method)
        if waiting:
            raise waiting.pop(0)

    def create_service(self, task_template, name, labels, endpoint_spec):
        self.count += 1
        service = {
            "ID": f"s{self.count}",
            "CreatedAt": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.123456789Z"),
            "Spec": {
                "Name": name,
                "Labels": labels,
                "TaskTemplate": task_template,
                "EndpointSpec": endpoint_spec,
            },
        }
        if name in self.made:
            raise refusal(409, "name conflicts with an existing object")
        self.made[name] = service
        self.tasks_of[service["ID"]] = []
        if self.path:
            self.task(service["ID"], self.path[0])
        self.looks = 0
        # A lost answer comes after the work.
        self._called("create_service")
        return {"ID": service["ID"]}

    def inspect_service(self, name):
        self._called("inspect_service")
        for service in self.made.values():
            if name in (service["Spec"]["Name"], service["ID"]):
                return service
        raise refusal(404, f"service {name} not found")

    def remove_service(self, name):
        self._called("remove_service")
        service = self.inspect_service(name)
        del self.made[service["Spec"]["Name"]]
        self.tasks_of[service["ID"]] = []
        return True

    def services(self, filters):
        self._called("services")
        name, _, value = filters["label"].partition("=")
        return [one for one in self.made.values() if one["Spec"]["Labels"].get(name) == value]

    def tasks(self, filters):
        self._called("tasks")
        tasks = self.tasks_of.get(filters["service"], [])
        if len(tasks) == 1 and self.path:
            tasks[0]["Status"]["State"] = self.path[min(self.looks, len(self.path) - 1)]
            self.looks += 1
        return tasks


__all__ = ["NoAnswer", "Swarm", "refusal"]
